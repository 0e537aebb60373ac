# The date of the image, which the user or the newest input decides: for the tools that would put the time into
# what they write. Source: https://reproducible-builds.org/specs/source-date-epoch/
dib_source_date=${BASH_SOURCE[0]%/*}/../source-date
if [ -z "${SOURCE_DATE_EPOCH:-}" ] && [ -r "$dib_source_date" ]; then
    read -r SOURCE_DATE_EPOCH <"$dib_source_date"
    export SOURCE_DATE_EPOCH
fi
unset dib_source_date
