# Finds the images that a container file starts from or copies from.
# shellcheck shell=bash

# Prints IMAGE TAB PLATFORM for each image that a container file names, once; platforms are mostly empty. Stages of the
# file itself are no images. Variables have what DIB_CONTAINERFILE_BUILDOPTS gives them, else what the file does.
images_of() {
    awk -v options="${DIB_CONTAINERFILE_BUILDOPTS:-}" '
    function unquoted(text) {
        gsub(/^["\047]|["\047]$/, "", text)
        return text
    }
    function expanded(text, name, other, start, size) {
        while (match(text, /\$([A-Za-z_][A-Za-z_0-9]*|\{[A-Za-z_][A-Za-z_0-9]*(:?-[^}]*)?\})/)) {
            start = RSTART
            size = RLENGTH
            name = substr(text, start + 1, size - 1)
            gsub(/[{}]/, "", name)
            other = ""
            if (match(name, /:?-/)) {
                other = substr(name, RSTART + RLENGTH)
                name = substr(name, 1, RSTART - 1)
            }
            text = substr(text, 1, start - 1) (settings[name] == "" ? other : settings[name]) substr(text, start + size)
        }
        return text
    }
    function set(text, place) {
        place = index(text, "=")
        if (place > 0) {
            settings[substr(text, 1, place - 1)] = unquoted(substr(text, place + 1))
        } else if (text in ENVIRON) {
            settings[text] = ENVIRON[text]
        }
    }
    function report(image, platform) {
        image = expanded(image)
        if (image == "" || image == "scratch" || image ~ /^[0-9]+$/ || tolower(image) in stages) {
            return
        }
        if (!((image, platform) in seen)) {
            seen[image, platform] = 1
            print image "\t" platform
        }
    }
    BEGIN {
        count = split(options, words, /[ \t\n]+/)
        for (each = 1; each <= count; each++) {
            if (words[each] == "--build-arg") {
                set(words[++each])
            } else if (words[each] ~ /^--build-arg=/) {
                set(substr(words[each], 13))
            } else if (words[each] == "--platform") {
                general = words[++each]
            } else if (words[each] ~ /^--platform=/) {
                general = substr(words[each], 12)
            }
        }
        for (name in settings) {
            given[name] = 1
        }
    }
    # Only those before the first stage count in FROM.
    toupper($1) == "ARG" && !started {
        for (each = 2; each <= NF; each++) {
            name = $each
            sub(/=.*/, "", name)
            if (!(name in given) && index($each, "=") > 0) {
                settings[name] = expanded(unquoted(substr($each, index($each, "=") + 1)))
            }
        }
    }
    toupper($1) == "FROM" {
        started = 1
        each = 2
        platform = general
        while ($each ~ /^--/) {
            if ($each ~ /^--platform=/) {
                platform = expanded(substr($each, 12))
            }
            each++
        }
        report($each, platform)
        if (toupper($(each + 1)) == "AS") {
            stages[tolower($(each + 2))] = 1
        }
    }
    toupper($1) == "COPY" || toupper($1) == "RUN" {
        for (each = 2; $each ~ /^--/; each++) {
            if ($each ~ /^--from=/) {
                report(substr($each, 8), general)
            } else if ($each ~ /^--mount=/ && match($each, /[=,]from=[^,]+/)) {
                report(substr($each, RSTART + 6, RLENGTH - 6), general)
            }
        }
    }
    ' "$1"
}
