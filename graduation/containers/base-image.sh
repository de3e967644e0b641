#!/usr/bin/env bash
# Makes a stand-in for the official Node image, for a machine that reaches Debian's archive and the npm registry but no
# image registry: a minimal Debian, the Node of the npm package `node`, npm, and the user `node` (1000).
#
#   graduation/containers/base-image.sh [IMAGE]     IMAGE is localhost/node-from-debian unless told otherwise
#   BASE=localhost/node-from-debian docker compose up --build
#
# Needs root, debootstrap, npm and podman; ENGINE=docker takes Docker. MIRROR names another Debian archive.
set -euo pipefail

image=${1:-localhost/node-from-debian}
engine=${ENGINE:-podman}
mirror=${MIRROR:-$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1)}
node_version=$(node -p 'require("./package.json").devDependencies.node')

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
root=$folder/root

# libatomic1 and libstdc++6 are what Node's program links to; the official image has them too.
debootstrap --variant=minbase --include=ca-certificates,libatomic1,libstdc++6 bookworm "$root" ${mirror:+"$mirror"} \
  >"$folder/debootstrap.log" || { tail -n 20 "$folder/debootstrap.log"; exit 1; }
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,locale,man}

# The package's install script puts the program for this machine in place.
mkdir "$folder/npm"
echo '{ "private": true, "allowScripts": { "node": true } }' >"$folder/npm/package.json"
npm install --prefix "$folder/npm" "node@$node_version" npm@11 >"$folder/npm.log" 2>&1 ||
  { tail -n 20 "$folder/npm.log"; exit 1; }
cp -L "$folder/npm/node_modules/node/bin/node" "$root/usr/local/bin/node"
mkdir -p "$root/usr/local/lib/node_modules"
cp -R "$folder/npm/node_modules/npm" "$root/usr/local/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"

# `npm ci` in the build must trust what this machine trusts: a proxy of its own may stand before the registry.
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
echo 'node:x:1000:1000::/home/node:/bin/sh' >>"$root/etc/passwd"
echo 'node:x:1000:' >>"$root/etc/group"
install -d -o 1000 -g 1000 "$root/home/node"

tar -C "$root" -c . | "$engine" import \
  --change 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt' \
  --change 'CMD ["node"]' - "$image"
