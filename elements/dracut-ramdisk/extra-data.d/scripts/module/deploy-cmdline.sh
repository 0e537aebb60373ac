# shellcheck shell=bash
# dracut wants a root file system: the fragments of init.d come before it would be mounted.
# shellcheck disable=SC2034

root=/dev/zero
rootok=1
