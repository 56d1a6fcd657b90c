# o__n-py39-20220406-1a2b3c4d
# The repository with its history up to a commit, or the environment on top of it; context/setup.sh says how.
FROM builder/base:py3.9.18
LABEL builder.environment="o__n-py39-20220406-1a2b3c4d" \
      builder.version="0.1.0" \
      org.opencontainers.image.title="o__n-py39-20220406-1a2b3c4d"
ENV A="\$HOME \"quoted\" \\" \
    B="two words"
COPY context/ /context/
RUN HOME="$(mktemp -d)" bash /context/setup.sh && rm -rf /tmp/*
