#!/bin/bash
# dracut wants a root file system: the fragments of init.d come before it would be mounted.
# dib-lint: disable=sete setu setpipefail dibdebugtrace
# shellcheck disable=SC2034

root=/dev/zero
rootok=1
