"""OpenStack Swift, speaking S3, in one process on 127.0.0.1: proxy, account, container and object server.

Arguments: folder for everything it writes; port; port of memcached; user and password as the credentials of S3;
how many objects a listing gives at most. Prints "ready" when it accepts connections.
"""
import os
import sys
import textwrap

import eventlet

eventlet.monkey_patch()

import eventlet.wsgi  # noqa: E402
from swift.common import utils  # noqa: E402

folder, port, cache_port, user, password, page = sys.argv[1:]
SERVERS = ("account", "container", "object")
# Seconds. With its own limits, a listing lacks an object whose container was not told of it within a second: it would be
# told later, by a daemon that does not run here.
PATIENCE = 30


def write(name, text):
    path = os.path.join(folder, name)
    with open(path, "w") as file:
        file.write(textwrap.dedent(text))
    return path


# What Swift logs goes to a file that tests show when it does not start.
log = os.open(os.path.join(folder, "log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.dup2(log, 2)

# Where this file lies is read when other parts of Swift are imported.
utils.SWIFT_CONF_FILE = write("swift.conf", """\
    [swift-hash]
    swift_hash_path_prefix = prefix
    swift_hash_path_suffix = suffix
    """)
utils.validate_configuration()

from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.wsgi import SwiftHttpProtocol, loadapp  # noqa: E402

listeners = {name: eventlet.listen(("127.0.0.1", 0), backlog=256) for name in SERVERS}
listeners["proxy"] = eventlet.listen(("127.0.0.1", int(port)), backlog=256)
os.makedirs(os.path.join(folder, "devices", "device"), exist_ok=True)
for name in SERVERS:
    address = {"ip": "127.0.0.1", "port": listeners[name].getsockname()[1]}
    replication = {"replication_" + key: value for key, value in address.items()}
    builder = RingBuilder(part_power=1, replicas=1, min_part_hours=0)
    builder.add_dev({"region": 1, "zone": 1, "device": "device", "weight": 1.0, **address, **replication})
    builder.rebalance()
    builder.get_ring().save(os.path.join(folder, name + ".ring.gz"))
    write(name + ".conf", f"""\
        [DEFAULT]
        swift_dir = {folder}
        devices = {folder}/devices
        mount_check = false
        disable_fallocate = true
        conn_timeout = {PATIENCE}
        node_timeout = {PATIENCE}
        container_update_timeout = {PATIENCE}
        [pipeline:main]
        pipeline = {name}-server
        [app:{name}-server]
        use = egg:swift#{name}
        """)
write("proxy.conf", f"""\
    [DEFAULT]
    swift_dir = {folder}
    conn_timeout = {PATIENCE}
    node_timeout = {PATIENCE}
    [pipeline:main]
    pipeline = catch_errors gatekeeper cache listing_formats s3api tempauth copy slo dlo versioned_writes proxy-server
    [app:proxy-server]
    use = egg:swift#proxy
    account_autocreate = true
    [filter:catch_errors]
    use = egg:swift#catch_errors
    [filter:gatekeeper]
    use = egg:swift#gatekeeper
    [filter:cache]
    use = egg:swift#memcache
    memcache_servers = 127.0.0.1:{cache_port}
    [filter:listing_formats]
    use = egg:swift#listing_formats
    [filter:s3api]
    use = egg:swift#s3api
    location = us-east-1
    max_bucket_listing = {page}
    [filter:tempauth]
    use = egg:swift#tempauth
    user_{user.replace(":", "_")} = {password} .admin
    [filter:copy]
    use = egg:swift#copy
    [filter:slo]
    use = egg:swift#slo
    [filter:dlo]
    use = egg:swift#dlo
    [filter:versioned_writes]
    use = egg:swift#versioned_writes
    """)

threads = []
for name, listener in listeners.items():
    app = loadapp(os.path.join(folder, name + ".conf"), global_conf={"log_name": name, "log_level": "WARNING"})
    threads.append(eventlet.spawn(
        eventlet.wsgi.server, listener, app, protocol=SwiftHttpProtocol, log_output=False))
# In one write: who started this closes the pipe as soon as something has come.
os.write(1, b"ready\n")
os.dup2(log, 1)
for thread in threads:
    thread.wait()
