# syntax=docker/dockerfile:1.7
# Tags are exact, and Dependabot updates them; `sh deploy/pin-images` adds digests.

# The browser pages.
FROM node:22.21.1-bookworm-slim AS pages
WORKDIR /source/app/playground
COPY app/playground/package.json app/playground/package-lock.json app/playground/.npmrc ./
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev
COPY app/playground ./
RUN npm run build

# Dependencies and application are separate layers, so that a release only replaces the second. Build tools are left out.
FROM python:3.12.12-slim-bookworm AS install
WORKDIR /source
COPY deploy/build-requirements.lock deploy/requirements.lock deploy/
RUN --mount=type=cache,target=/root/.cache \
    python3 -m venv /build && \
    /build/bin/pip install --disable-pip-version-check --only-binary :all: --no-deps --require-hashes --requirement deploy/build-requirements.lock
# Without pip, which is no longer needed. Python finds the application by a path file.
RUN --mount=type=cache,target=/root/.cache \
    python3 -m venv --without-pip /opt/genregraph && \
    /build/bin/uv pip sync --python /opt/genregraph/bin/python --only-binary :all: --link-mode copy --compile-bytecode --require-hashes deploy/requirements.lock && \
    for packages in /opt/genregraph/lib/python*/site-packages; do echo /opt/application > "$packages/application.pth"; done
COPY . .
COPY --from=pages /source/app/playground/dist app/playground/dist
RUN VIRTUAL_ENV=/build /build/bin/uv build --wheel --no-build-isolation --python /build/bin/python --out-dir /wheel . && \
    /build/bin/uv pip install --python /opt/genregraph/bin/python --target /opt/application --no-deps --link-mode copy --compile-bytecode /wheel/genregraph-*.whl

FROM python:3.12.12-slim-bookworm AS runtime
LABEL org.opencontainers.image.title="genregraph" \
      org.opencontainers.image.description="Song genres over GraphQL" \
      org.opencontainers.image.licenses="MIT"
# LightGBM's OpenMP runtime. Its version follows the pinned base image's release of Debian.
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install --yes --no-install-recommends libgomp1 && \
    rm -rf /var/lib/apt/lists/* && \
    groupadd --gid 10001 genregraph && \
    useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin genregraph && \
    install --directory --owner 10001 --group 10001 --mode 0700 /uploads
COPY --from=install /opt/genregraph /opt/genregraph
COPY --from=install /opt/application /opt/application
# The root file system may be read-only: only uploads in progress are written.
ENV PATH=/opt/application/bin:/opt/genregraph/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TMPDIR=/uploads \
    GENREGRAPH_ENVIRONMENT=production \
    GENREGRAPH_HOST=0.0.0.0 \
    GENREGRAPH_PORT=8000
VOLUME ["/uploads"]
WORKDIR /srv
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['GENREGRAPH_PORT'] + '/healthcheck', timeout=4)"]
ENTRYPOINT ["genregraph"]
CMD ["serve"]
