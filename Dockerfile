# The runtime, the program and AWS-LC as files on Debian 13, whose OpenSSL serves a FIPS policy.
#
#   docker build -t ztunnel:1.0.0 --build-arg VERSION=1.0.0 --build-arg REVISION=$(git rev-parse HEAD) \
#     --build-arg DEBIAN_DIGEST=sha256:... .
#
# DEBIAN_DIGEST: which debian:13-slim. It has no default, so no build takes whatever the tag means today: without it
# Docker refuses the name of the base image. `docker buildx imagetools inspect debian:13-slim` shows the newest; keep it
# beside your other versions. VERSION is also what istio_build{tag} and the version command report; ISTIO_VERSION, which is
# optional, replaces it there.
#
# The image's user is not root. That is enough for a single workload (PROXY_MODE=dedicated). As a node proxy it enters
# the namespaces of pods, for which the kernel asks CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_NET_RAW; Kubernetes grants
# capabilities to root only, so deploy/ztunnel.yaml sets runAsUser 0, drops all capabilities and adds those three.
# The root file system may be read-only.
ARG DEBIAN_DIGEST
FROM debian:13-slim@${DEBIAN_DIGEST} AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
  ca-certificates cargo cmake g++ gcc libc6-dev make nodejs npm zlib1g-dev
WORKDIR /build
COPY tools/build_aws_lc.sh tools/
RUN tools/build_aws_lc.sh
COPY . .
ARG VERSION REVISION
# Started once, to check that it runs. The runtime keeps compiled code in the folder `cache` beside the program where it
# can write to it: mount a folder there, as deploy/ztunnel.yaml does. A read-only one is not used at all.
RUN ./compile.sh -f folder -o /out && /out/ztunnel version && rm -rf /out/cache && mkdir /out/cache

FROM debian:13-slim@${DEBIAN_DIGEST}
ARG VERSION=unknown
ARG ISTIO_VERSION=${VERSION}
ARG REVISION=unknown
ENV ISTIO_META_ISTIO_VERSION=${ISTIO_VERSION}
LABEL org.opencontainers.image.title=ztunnel \
  org.opencontainers.image.description="Node proxy for Istio's ambient mesh" \
  org.opencontainers.image.licenses=Apache-2.0 \
  org.opencontainers.image.version=${VERSION} \
  org.opencontainers.image.revision=${REVISION}
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates libssl3t64 \
  && rm -rf /var/lib/apt/lists/* \
  && groupadd --gid 1337 ztunnel && useradd --uid 1337 --gid 1337 --no-create-home --shell /usr/sbin/nologin ztunnel
COPY --from=build /out /usr/local/lib/ztunnel
RUN ln -s ../lib/ztunnel/ztunnel /usr/local/bin/ztunnel
WORKDIR /
USER 1337:1337
EXPOSE 15020 15021
ENTRYPOINT ["/usr/local/bin/ztunnel"]
CMD ["proxy", "ztunnel"]
