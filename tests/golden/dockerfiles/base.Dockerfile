# CPython 3.9.18 and uv on a system with git and compilers: what every environment stands on.
FROM builder-base
USER root
ADD interpreter.tar /
RUN ["/sbin/ldconfig"]
LABEL builder.version="0.1.0" \
      org.opencontainers.image.title="py3.9.18"
ENV LANG="C.UTF-8" \
    PATH="/opt/env/bin:/opt/builder/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
    PYTHONHASHSEED="0" \
    TZ="UTC" \
    VIRTUAL_ENV="/opt/env"
USER agent
WORKDIR /testbed
CMD ["/bin/bash"]
