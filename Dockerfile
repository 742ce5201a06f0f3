# The tracker in a container: one executable, no shell, no root.
#
#   docker build -t tracker .
#   docker buildx build --platform linux/amd64,linux/arm64 -t REGISTRY/tracker --push .
#   buildah build --format docker -t tracker .      # the format that supports health checks
#
# BUILDER  an image with Bun, or with Node and npm, which then installs Bun. It compiles for both architectures on
#          the one it runs on.
# BASE     an image with the same C library as the builder (glibc or musl). `libraries` is an image with nothing but
#          the C library, taken from the builder:
#
#   docker build --build-arg BASE=libraries -t tracker .
#   docker build --build-arg BUILDER=node:24-trixie-slim -t tracker .
ARG BUILDER=docker.io/oven/bun:1.4.4-debian
ARG BASE=gcr.io/distroless/base-nossl-debian13:nonroot

FROM --platform=$BUILDPLATFORM ${BUILDER} AS build
USER 0
WORKDIR /src
COPY package.json bun.lock ./
RUN if ! command -v bun > /dev/null; then npm install --global bun@1.4.4; fi \
  && bun install --frozen-lockfile --production
COPY build.ts tsconfig.json ./
COPY src/ src/
COPY share/default/ share/default/
ARG TARGETARCH
# The commit, which is not in the context.
ARG REVISION
# For the builder's own architecture the executable is made of the builder's Bun.
RUN set -e; \
  own=$(bun -p process.arch); \
  case "$TARGETARCH" in \
    amd64) arch=x64 build=x64-baseline ;; \
    arm64) arch=arm64 build=arm64 ;; \
    "") arch=$own ;; \
    *) echo "there is no tracker for $TARGETARCH" >&2; exit 1 ;; \
  esac; \
  if ls /lib/ld-musl-* > /dev/null 2>&1; then build=$build-musl; fi; \
  if [ "$arch" = "$own" ]; then target=; else target=bun-linux-$build; fi; \
  SOURCE_COMMIT=$REVISION bun build.ts /out/usr/bin/tracker $target; \
  mkdir -p /out/usr/share/torrust/default /out/var/lib/torrust /out/var/log/torrust /out/etc/torrust /volume; \
  cp -R share/default/config /out/usr/share/torrust/default/; \
  mkdir -m 2770 /volume/tracker
COPY LICENSE /out/usr/share/doc/tracker/LICENSE

# Runs on the target architecture: collects the libraries that the executable needs.
FROM ${BUILDER} AS needed
USER 0
COPY --from=build /out/usr/bin/tracker /tracker
RUN mkdir -p /needed/etc && mkdir -m 1777 /needed/tmp \
  && cp -L --parents $(ldd /tracker | grep -o '/[^ ]*') /needed/ \
  && echo 'hosts: files dns' > /needed/etc/nsswitch.conf

FROM scratch AS libraries
COPY --from=needed /needed/ /

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="tracker" \
  org.opencontainers.image.description="A BitTorrent tracker in one executable: UDP and HTTP(S) over one shared swarm." \
  org.opencontainers.image.licenses="AGPL-3.0-only" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"

ARG TORRUST_TRACKER_CONFIG_TOML_PATH=/etc/torrust/tracker/tracker.toml
ARG USER_ID=1000
ARG UDP_PORT=6969
ARG HTTP_PORT=7070
ARG API_PORT=1212
ARG HEALTH_CHECK_API_PORT=1313
ARG TZ=Etc/UTC
# The configuration sets the ports. Of these variables only HEALTH_CHECK_API_PORT is read, by the health check.
ENV TORRUST_TRACKER_CONFIG_TOML_PATH=${TORRUST_TRACKER_CONFIG_TOML_PATH} \
  USER_ID=${USER_ID} \
  UDP_PORT=${UDP_PORT} \
  HTTP_PORT=${HTTP_PORT} \
  API_PORT=${API_PORT} \
  HEALTH_CHECK_API_PORT=${HEALTH_CHECK_API_PORT} \
  TZ=${TZ}

COPY --from=build /out/ /
# A named volume starts as a copy of the directory that it covers, so these must be writable for the user.
COPY --from=build --chown=${USER_ID}:${USER_ID} /volume/ /var/lib/torrust/
COPY --from=build --chown=${USER_ID}:${USER_ID} /volume/ /var/log/torrust/
COPY --from=build --chown=${USER_ID}:${USER_ID} /volume/ /etc/torrust/

# So that relative paths of older configurations, such as the default one of the database, are on a volume.
WORKDIR /var/lib/torrust/tracker
USER ${USER_ID}:${USER_ID}
EXPOSE ${UDP_PORT}/udp ${HTTP_PORT}/tcp ${API_PORT}/tcp ${HEALTH_CHECK_API_PORT}/tcp
VOLUME ["/var/lib/torrust/tracker", "/var/log/torrust/tracker", "/etc/torrust/tracker"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=3s --retries=3 CMD ["/usr/bin/tracker", "health"]
ENTRYPOINT ["/usr/bin/tracker"]
CMD ["container"]
