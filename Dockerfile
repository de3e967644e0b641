# One image for the router, the control plane and the demo cells: what a container runs is the command in compose.yaml.
# Node 26 strips the types itself, so there is neither a loader nor a build step.
ARG BASE=node:26-bookworm-slim

FROM ${BASE} AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM ${BASE} AS state
WORKDIR /app
COPY stages stages
COPY graduation/containers/write-tables.ts graduation/containers/
# Volumes begin as a copy of these folders, their owner included. The token's folder is empty.
RUN node graduation/containers/write-tables.ts /volumes/state && mkdir -m 700 /volumes/token

FROM ${BASE}
ENV NODE_ENV=production
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY package.json ./
COPY scripts scripts
COPY shared shared
COPY graduation graduation
COPY stages stages
COPY --from=state --chown=1000:1000 /volumes /
# The user `node` of the official image. Nothing under /app is its own.
USER 1000:1000
CMD ["node", "graduation/containers/start.ts", "router"]
