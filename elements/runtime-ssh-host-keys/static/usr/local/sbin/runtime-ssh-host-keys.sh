#!/bin/bash
# Makes a host key of each kind that this OpenSSH has and that is not there yet.
# dib-lint: disable=dibdebugtrace

set -eu
set -o pipefail

ssh-keygen -A
