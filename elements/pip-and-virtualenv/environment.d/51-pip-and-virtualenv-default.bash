# Two pips, the distribution's and the latest, break each other sooner or later.
export DIB_INSTALLTYPE_pip_and_virtualenv=${DIB_INSTALLTYPE_pip_and_virtualenv:-package}
case "$DIB_INSTALLTYPE_pip_and_virtualenv/$DISTRO_NAME" in
    source/centos | source/rhel)
        echo "pip-and-virtualenv: '$DISTRO_NAME' can have pip from packages only; unset DIB_INSTALLTYPE_pip_and_virtualenv" >&2
        exit 1
        ;;
    source/* | package/*) ;;
    *)
        echo "pip-and-virtualenv: DIB_INSTALLTYPE_pip_and_virtualenv is '$DIB_INSTALLTYPE_pip_and_virtualenv'; give package or source" >&2
        exit 1
        ;;
esac
if [ "${DIB_PYTHON_VERSION:-3}" = 2 ]; then
    export DIB_REPOLOCATION_pip_and_virtualenv=${DIB_REPOLOCATION_pip_and_virtualenv:-https://bootstrap.pypa.io/pip/2.7/get-pip.py}
fi

# Only where dib-python is; and what it stands for, because scripts keep the name they were installed by.
if _dib_python=$(readlink /usr/local/bin/dib-python); then
    export DIB_PYTHON_PIP="$_dib_python -m pip"
    if [ "$DIB_PYTHON_VERSION" = 3 ]; then
        export DIB_PYTHON_VIRTUALENV="$_dib_python -m venv"
    else
        export DIB_PYTHON_VIRTUALENV="$_dib_python -m virtualenv"
    fi
fi
unset _dib_python
