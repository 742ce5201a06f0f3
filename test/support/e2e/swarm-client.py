"""A BitTorrent client on libtorrent (what qBittorrent and Deluge are made of) for the tests.

swarm-client.py TORRENT_FILE DIRECTORY: downloads into DIRECTORY what the torrent describes, or seeds it when
it is there already. Knows no way to other clients but the tracker. One JSON object a line: what its tracker said
and when it has everything. Says `stopped` to the tracker when its standard input ends, and gives up
after a minute.
"""

import json
import select
import sys
import time

import libtorrent

GIVE_UP_SECONDS = 60
# Its farewell must be away before it is.
FAREWELL_SECONDS = 5


def say(**event):
    print(json.dumps(event), flush=True)


def report(alert):
    kind = type(alert).__name__
    if kind == 'tracker_reply_alert':
        say(event='reply', peers=alert.num_peers)
    elif kind == 'tracker_error_alert':
        say(event='error', message=alert.message())
    elif kind == 'torrent_finished_alert':
        say(event='finished')


def main():
    torrent_file, directory = sys.argv[1:]
    session = libtorrent.session({
        'listen_interfaces': '127.0.0.1:0',
        'alert_mask': libtorrent.alert.category_t.all_categories,
        'enable_dht': False,
        'enable_lsd': False,
        'enable_upnp': False,
        'enable_natpmp': False,
        'allow_multiple_connections_per_ip': True,
        'stop_tracker_timeout': FAREWELL_SECONDS,
    })
    parameters = libtorrent.add_torrent_params()
    parameters.ti = libtorrent.torrent_info(torrent_file)
    parameters.save_path = directory
    torrent = session.add_torrent(parameters)
    ends = time.monotonic() + GIVE_UP_SECONDS
    while time.monotonic() < ends:
        for alert in session.pop_alerts():
            report(alert)
        if select.select([sys.stdin], [], [], 0.05)[0] and not sys.stdin.read(1):
            break
    session.remove_torrent(torrent)
    ends = time.monotonic() + FAREWELL_SECONDS
    while time.monotonic() < ends:
        session.wait_for_alert(100)
        for alert in session.pop_alerts():
            if type(alert).__name__ in ('tracker_reply_alert', 'tracker_error_alert'):
                return


main()
