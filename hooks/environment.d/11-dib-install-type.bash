# How elements that can do both install their software: "source" or "package".
export DIB_DEFAULT_INSTALLTYPE=${DIB_DEFAULT_INSTALLTYPE:-source}
