# Two stages: pip and its leavings stay in the first. The embedded mongod inside is licensed under the SSPL.
FROM python:3.13-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/fhir-server
COPY requirements.lock ./
RUN /opt/fhir-server/bin/pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY capability capability
COPY fhir_server fhir_server
COPY importers importers
COPY resources resources
RUN /opt/fhir-server/bin/pip install --no-deps --no-build-isolation . \
    && /opt/fhir-server/bin/python -m compileall -q /opt/fhir-server/lib

FROM python:3.13-slim-bookworm
# mongod needs libcurl.
RUN apt-get update && apt-get install -y --no-install-recommends libcurl4 && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin fhir \
    && install -d -o fhir -g fhir -m 0700 /data
COPY --from=build /opt/fhir-server /opt/fhir-server
ENV PATH=/opt/fhir-server/bin:$PATH PYTHONUNBUFFERED=1 FHIR_SERVER_DATA_DIR=/data FHIR_SERVER_PORT=8080
USER fhir
VOLUME /data
# It listens on loopback only, as there is no access control yet: run it with --network host, or beside a proxy
# that shares its network as in compose.yaml.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["python", "-c", \
    "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['FHIR_SERVER_PORT']}/health/ready\", timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["fhir-server"]
CMD ["serve"]
