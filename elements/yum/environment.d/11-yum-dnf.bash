export YUM=${YUM:-dnf}
export YUM_FLAGS=${YUM_FLAGS:--y}
