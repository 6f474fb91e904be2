# shellcheck shell=bash
# Functions of build.sh: Debian's programs in a folder of their own, and container images without a container runtime.
# They use $out and $base.

mirror() { sed -n 's/^URIs: //p' /etc/apt/sources.list.d/*.sources | head -1; }

# Debian's containerd, runc, CNI plugins and mmdebstrap of this machine's release, and the etcd of Debian 13: the one of
# Debian 12 has no consistent reads for this API server. They are unpacked, not installed.
debian_programs() {
  [ -x "$out/etcd/usr/bin/etcd" ] && return
  local work deb
  work=$(mktemp -d "$base/building.XXXXXX")
  mkdir -p "$work"/apt/{lists/partial,cache/archives/partial} "$out"/{debian,etcd}
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(mirror) trixie main" > "$work/apt/sources.list"
  : > "$work/apt/status"
  cat > "$work/apt/apt.conf" <<C
Dir::State::Lists "$work/apt/lists";
Dir::Cache "$work/apt/cache";
Dir::Etc::sourcelist "$work/apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State::status "$work/apt/status";
APT::Sandbox::User "root";
C
  (
    cd "$work"
    apt-get update -qq
    apt-get download -qq containerd runc containernetworking-plugins mmdebstrap
    for deb in *.deb; do dpkg -x "$deb" "$out/debian"; done
    export APT_CONFIG=$work/apt/apt.conf
    apt-get update -qq
    apt-get download -qq etcd-server
    dpkg -x etcd-server_*.deb "$out/etcd"
  )
  rm -rf "$work"
}

# root_of SUITE PACKAGES: the root file system that images of dynamically linked programs begin with.
root_of() {
  local root=$out/root-$1
  [ -d "$root/usr" ] && return
  PATH=$out/debian/usr/bin:$PATH nice -n 19 perl "$out/debian/usr/bin/mmdebstrap" --variant=essential --mode=root \
    --include="$2" --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' "$1" "$root.new" "$(mirror)" >&2
  mv "$root.new" "$root"
}

# image NAME FOLDER ENTRYPOINT_JSON [USER]: the archive that `docker save` would make of the folder; to $out/images, or to
# the folder $IMAGES.
image() {
  local name=$1 folder=$2 entrypoint=$3 user=${4:-0} work layer config images=${IMAGES:-$out/images}
  work=$(mktemp -d "$images/work.XXXXXX")
  tar --numeric-owner --owner=0 --group=0 -C "$folder" -cf "$work/layer.tar" .
  layer=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
  cat > "$work/config.json" <<J
{"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ["sha256:$layer"]},
 "config": {"User": "$user", "Entrypoint": $entrypoint,
  "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/cni/bin"]}}
J
  config=$(sha256sum "$work/config.json" | cut -d' ' -f1).json
  mv "$work/config.json" "$work/$config"
  printf '[{"Config": "%s", "RepoTags": ["%s"], "Layers": ["layer.tar"]}]' "$config" "$name" > "$work/manifest.json"
  tar -C "$work" -cf "$images/$(printf %s "$name" | tr '/:' '__').tar" manifest.json "$config" layer.tar
  rm -rf "$work"
}

# with_programs NAME ENTRYPOINT_JSON BASE_FOLDER_OR_EMPTY USER FILES...
with_programs() {
  local name=$1 entrypoint=$2 start=$3 user=$4 root; shift 4
  root=$(mktemp -d "$out/images/root.XXXXXX")
  [ -z "$start" ] || cp -al "$start/." "$root"
  mkdir -p "$root"/usr/local/bin "$root"/tmp "$root"/etc
  chmod 755 "$root"; chmod 1777 "$root/tmp"
  cp "$@" "$root/usr/local/bin/"
  if [ -e "$root/usr/local/bin/istio-cni" ]; then
    mkdir -p "$root/opt/cni/bin"
    mv "$root/usr/local/bin/istio-cni" "$root/opt/cni/bin/"
  fi
  image "$name" "$root" "$entrypoint" "$user"
  rm -rf "$root"
}

peer_images() {
  local bin=$out/bin spire=$base/spire-1.13.3 debian
  root_of trixie ca-certificates,iptables,iproute2,libssl3t64
  debian=$out/root-trixie
  with_programs lab/pause:1 '["/usr/local/bin/pause"]' "" 0 "$bin/pause"
  with_programs lab/app:1 '["/usr/local/bin/app"]' "" 0 "$bin/app"
  with_programs lab/coredns:1 '["/usr/local/bin/coredns"]' "$debian" 0 "$bin/coredns"
  with_programs lab/pilot:lab '["/usr/local/bin/pilot-discovery"]' "$debian" 1337:1337 "$bin/pilot-discovery"
  with_programs lab/install-cni:lab '["install-cni"]' "$debian" 0 "$bin/install-cni" "$bin/istio-cni"
  if [ -x "$spire/spire-agent" ]; then
    with_programs lab/spire-agent:1 '["/usr/local/bin/spire-agent"]' "$debian" 0 "$spire/spire-agent"
  fi
}
