#!/bin/sh
# The start of the image's target beam, which is two things: what its user calls, as the target records is, and
# the container that Beam's runners start their workers in. Those call it with options of Beam's own program.
for option; do
    case $option in
        --id=* | --provision_endpoint=* | --worker_pool | --worker_pool=* | --setup_only | --setup_only=*)
            exec /opt/apache/beam/boot "$@"
            ;;
    esac
done
exec python -m datapipeline.records.build_records "$@"
