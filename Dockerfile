# A TraceHub server in a container.
#   docker build --tag tracehub .
#   docker run --publish 127.0.0.1:8099:8099 --volume tracehub:/var/lib/tracehub --env TRACEHUB_SECRET tracehub

FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
# The program alone; what it was built with stays behind.
RUN cargo build --locked --release --package tracehub-server --package tracehub-cli

FROM debian:bookworm-slim
# Not root: a number, so that an orchestrator can see that it is none. The volume takes the folder's owner.
RUN install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/tracehub
COPY --from=build /src/target/release/tracehub-server /src/target/release/tracehub-cli /usr/local/bin/
USER 10001:10001
ENV TRACEHUB_DB=/var/lib/tracehub/tracehub.db \
    TRACEHUB_HOST=0.0.0.0 \
    TRACEHUB_LOG_FORMAT=json
VOLUME /var/lib/tracehub
EXPOSE 8099
STOPSIGNAL SIGTERM
# No curl, no shell. Its start may take a while where a large database of the Python server is taken over.
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 CMD ["tracehub-server", "healthcheck"]
ENTRYPOINT ["tracehub-server"]
