# syntax=docker/dockerfile:1
# One image, every command but `helius drill`: `helius monitor` by default, `helius service NAME` by argument.

FROM node:24.21.0-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The image brings its own Node, which the development dependencies bring elsewhere. No dependency needs a script.
RUN npm ci --omit=dev --ignore-scripts

FROM node:24.21.0-bookworm-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="helius-self-heal" \
      org.opencontainers.image.description="Predictive self-healing monitor next to Prometheus, with the Helius services it heals" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# In production the development token is refused and fault injection is off; docker-compose.yml says otherwise.
ENV NODE_ENV=production \
    HELIUS_DATA_DIR=/data \
    HELIUS_REVISION=${REVISION}
WORKDIR /app
# A named volume takes over the owner of the folder it is mounted on. Nothing else is ever written.
RUN mkdir /data /logs && chown 1000:1000 /data /logs
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY deploy/healthcheck.js ./deploy/healthcheck.js
COPY config ./config
COPY src ./src
USER 1000:1000
EXPOSE 8000 8001 8002 8003 8004 8005 9105
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node", "deploy/healthcheck.js"]
ENTRYPOINT ["node", "src/main.ts"]
# Other containers reach it: it starts with a token of its own only.
CMD ["monitor", "--web.listen-address=:9105"]
