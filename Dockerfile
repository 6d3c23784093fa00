# syntax=docker/dockerfile:1
# One image for every process of ours; compose.yaml says which runs what. See docs/deploying.md.
# The base is pinned by version. Pin it by digest as well where your registry is known: python:…@sha256:…

FROM python:3.11.14-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore UV_NO_CACHE=1 UV_LINK_MODE=copy
WORKDIR /build
# The lock first: this layer is made anew only when the dependencies change.
COPY requirements/uv.txt requirements/image.txt requirements/
RUN python -m venv /opt/uv \
    && /opt/uv/bin/python -m pip install --require-hashes -r requirements/uv.txt \
    && python -m venv --without-pip /opt/baluarte \
    && VIRTUAL_ENV=/opt/baluarte /opt/uv/bin/uv pip install --require-hashes --only-binary :all: \
        --compile-bytecode -r requirements/image.txt
COPY pyproject.toml LICENSE /app/
COPY baluarte /app/baluarte
COPY chaos /app/chaos
COPY chassis /app/chassis
COPY graphql_api /app/graphql_api
COPY monitoring /app/monitoring
COPY resilience /app/resilience
COPY services /app/services
COPY deploy/baluarte /opt/baluarte/bin/baluarte
RUN chmod 755 /opt/baluarte/bin/baluarte \
    && /opt/baluarte/bin/python -m compileall -q /app

FROM python:3.11.14-slim-bookworm
LABEL org.opencontainers.image.title="Baluarte" \
    org.opencontainers.image.licenses="MIT"
# Nothing is installed in here: the base's own installers go. The folders exist so that new volumes get their owner.
RUN python -m pip uninstall --yes --quiet --root-user-action=ignore setuptools wheel pip \
    && groupadd --gid 10001 baluarte \
    && useradd --uid 10001 --gid baluarte --no-create-home --home-dir /var/lib/baluarte --shell /usr/sbin/nologin baluarte \
    && install -d -m 700 -o baluarte -g baluarte /var/lib/baluarte \
    && for reader in master gateway users ledger transactions notifications operator postgres valkey rabbitmq grafana; do \
        install -d -m 755 -o baluarte -g baluarte "/secrets/$reader"; done
COPY --from=build /opt/baluarte /opt/baluarte
COPY --from=build /app /app
ENV PATH=/opt/baluarte/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /var/lib/baluarte
USER 10001:10001
# A process says SIGTERM's farewell within its bounds (chassis/server.py); as pid 1 it wants an init: `docker run --init`.
STOPSIGNAL SIGTERM
CMD ["baluarte", "--help"]
