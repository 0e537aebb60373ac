# The defaults of the service's image. Before 10-openeuler-distro-name.bash, which would choose others.
export DIB_RELEASE=${DIB_RELEASE:-22.03-LTS}
export DIB_DISTRIBUTION_MIRROR=${DIB_DISTRIBUTION_MIRROR:-https://mirrors.nju.edu.cn/openeuler}
# Containers have the kernel of their host.
export DIB_OPENEULER_KERNEL=${DIB_OPENEULER_KERNEL:-none}

# What the image's own repository file names; `openeuler` leaves it as openEuler has written it.
export DIB_MIGRATION_MIRROR=${DIB_MIGRATION_MIRROR:-$DIB_DISTRIBUTION_MIRROR}

# Where things are in the image. container.d/10-migration-update.yaml repeats these defaults.
export DIB_MIGRATION_CCI_SRC=${DIB_MIGRATION_CCI_SRC:-/root/compass-ci}
export DIB_MIGRATION_LKP_SRC=${DIB_MIGRATION_LKP_SRC:-/root/lkp-tests}
export DIB_MIGRATION_EASYPACKAGES=${DIB_MIGRATION_EASYPACKAGES:-/root/easypackages}
export DIB_MIGRATION_PIP_INDEX_URL=${DIB_MIGRATION_PIP_INDEX_URL:-https://mirrors.aliyun.com/pypi/simple/}

# What source-repositories fetches. DIB_REPOLOCATION_... and DIB_REPOREF_... work too.
export DIB_MIGRATION_LKP_URL=${DIB_MIGRATION_LKP_URL:-https://gitee.com/compass-ci/lkp-tests.git}
export DIB_MIGRATION_LKP_REF=${DIB_MIGRATION_LKP_REF:-master}
export DIB_MIGRATION_EASYPACKAGES_URL=${DIB_MIGRATION_EASYPACKAGES_URL:-https://github.com/opensourceways/easypackages.git}
export DIB_MIGRATION_EASYPACKAGES_REF=${DIB_MIGRATION_EASYPACKAGES_REF:-b87edc6d7a03ee7534677768664e99c117c8c9a0}

# The list may be empty: none.
export DIB_MIGRATION_GEMS=${DIB_MIGRATION_GEMS-rest-client}
export DIB_MIGRATION_GEM_SOURCE=${DIB_MIGRATION_GEM_SOURCE:-https://rubygems.org}

# A Node of one's own instead of the distribution's; its checksum goes with it.
export DIB_MIGRATION_NODE_URL=${DIB_MIGRATION_NODE_URL:-}
export DIB_MIGRATION_NODE_SHA256=${DIB_MIGRATION_NODE_SHA256:-}
