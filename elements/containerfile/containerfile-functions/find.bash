# Finds the container file, for the hook that builds it and the one that says what it depends on.
# shellcheck shell=bash

# Prints the path of the container file. Nothing, and one sentence on standard error, when there is none.
find_containerfile() {
    local file=${DIB_CONTAINERFILE_DOCKERFILE:-${DIB_CONTAINER_FILE:-}} element
    local -A places=()
    local -a found=()
    if [ -n "$file" ]; then
        if [ ! -f "$file" ]; then
            echo "containerfile: cannot read '$file' (DIB_CONTAINERFILE_DOCKERFILE): no such file" >&2
            return 1
        fi
        echo "$file"
        return
    fi
    eval "places=($(get_image_element_array))"
    for element in "${!places[@]}"; do
        if [ -f "${places[$element]}/containerfiles/${DIB_RELEASE:-}" ]; then
            found+=("${places[$element]}/containerfiles/$DIB_RELEASE")
        fi
    done
    case ${#found[@]} in
    1) echo "${found[0]}" ;;
    0)
        echo "containerfile: no element has containerfiles/${DIB_RELEASE:-\$DIB_RELEASE}; set DIB_CONTAINERFILE_DOCKERFILE to a file" >&2
        return 1
        ;;
    *)
        echo "containerfile: several elements have a container file, name one in DIB_CONTAINERFILE_DOCKERFILE: ${found[*]}" >&2
        return 1
        ;;
    esac
}

# The directory that COPY takes files from.
container_context() {
    echo "${DIB_CONTAINER_CONTEXT:-$DIB_IMAGE_CACHE/containerfile}"
}
