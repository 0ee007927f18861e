# The gateway. Not built in CI: there is no container engine there. Its npm steps are the ones a clone runs.
FROM node:26-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc tsconfig.base.json ./
COPY packages/server packages/server
RUN npm ci --no-audit --no-fund && npm run build
# Again, with what runs only. The Node.js packages among the optional ones are for clones; the image has its own.
RUN npm ci --no-audit --no-fund --omit=dev --omit=optional --workspace packages/server

FROM node:26-slim
ENV NODE_ENV=production INDOXHUB_HOST=0.0.0.0 INDOXHUB_DATA_DIR=/data
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/packages/server/package.json packages/server/package.json
COPY --from=build /app/packages/server/bin packages/server/bin
COPY --from=build /app/packages/server/dist packages/server/dist
COPY --from=build /app/packages/server/catalogue packages/server/catalogue
# /media: for a volume that several gateways share, with INDOXHUB_MEDIA_DIR and INDOXHUB_MEDIA_SHARED.
RUN mkdir -m 700 /data /media && chown node:node /data /media
USER node
VOLUME /data
EXPOSE 8100
# Alive is enough here: a gateway whose store is away must not be killed for it. Load balancers ask /readyz.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8100/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# node itself, not npm: it must get the SIGTERM. The flags are those of npm start: calls in flight die young, and what
# does not is collected early.
CMD ["node", "--max-semi-space-size=8", "--initial-old-space-size=64", "--heap-growing-percent=60", "--no-concurrent-marking", "--no-parallel-scavenge", "--no-allocation-site-pretenuring", "packages/server/bin/indoxhub.js"]
