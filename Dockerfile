# Builds and serves a registry.
#
#   docker build --tag process-registry .
#   docker run --rm --volume "$PWD:/registry" process-registry check
#   docker run --rm --volume "$PWD:/registry" process-registry build
#   docker run --rm --volume "$PWD:/registry:ro" --publish 127.0.0.1:8000:8000 process-registry
#
# The registry's repository, with its .git folder, belongs at /registry. The program runs as an ordinary user: give it the
# owner of the files (`--user "$(id -u):$(id -g)"`) for commands that write.
FROM python:3.13-slim-trixie AS build
WORKDIR /source
COPY . .
RUN pip install --no-cache-dir --prefix /install --constraint requirements-dev.lock ".[serve]"

FROM python:3.13-slim-trixie
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --no-install-recommends --yes git \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 registry
COPY --from=build /install /usr/local
# The mounted repository may belong to another user than the one in the container.
RUN git config --system --add safe.directory /registry
USER 10001
WORKDIR /registry
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/api/', timeout=4)"]
ENTRYPOINT ["registry"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000", "--allow-host", "localhost"]
