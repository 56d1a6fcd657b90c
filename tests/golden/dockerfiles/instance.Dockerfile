# Project-X__n-1
# The environment advanced to the instance's base commit; context/setup.sh says how.
FROM builder/environment:o__n-py39-20220406-1a2b3c4d
LABEL builder.version="0.1.0" \
      org.opencontainers.image.title="Project-X__n-1"
ENV A="\$HOME \"quoted\" \\" \
    B="two words"
COPY context/ /context/
RUN HOME="$(mktemp -d)" bash /context/setup.sh && rm -rf /tmp/*
