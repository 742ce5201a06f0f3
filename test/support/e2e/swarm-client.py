"""A BitTorrent client on libtorrent (what qBittorrent and Deluge are made of) for the tests.

swarm-client.py TORRENT_FILE DIRECTORY OPTIONS: downloads into DIRECTORY what the torrent describes, or seeds it when
it is there already. Knows no way to other clients but the tracker. OPTIONS, a JSON object: `trackers`, URLs of more
trackers, and `settings` of libtorrent. One JSON object a line: what its tracker said, with what it knew when it asked
of the bytes that it moved, and when it has everything. Announces at once for each byte of its standard input, says
`stopped` to the tracker when that ends, and gives up after two minutes.
"""

import json
import os
import select
import sys
import time

import libtorrent

GIVE_UP_SECONDS = 120
# Its farewell must be away before it is.
FAREWELL_SECONDS = 5
# It did not even ask: a tracker of the one family from an address of the other.
UNREACHABLE = 'skipping tracker announce'


def say(**event):
    print(json.dumps(event), flush=True)


def moved(torrent):
    status = torrent.status()
    # What it says to trackers: neither bad data nor data that it had already.
    wasted = status.total_failed_bytes + status.total_redundant_bytes
    return {
        'uploaded': status.total_payload_upload,
        'downloaded': status.total_payload_download - wasted,
    }


def report(alert, told):
    kind = type(alert).__name__
    if kind == 'tracker_announce_alert':
        told.update(moved(alert.handle))
    elif kind == 'tracker_reply_alert':
        say(event='reply', peers=alert.num_peers, **told)
    elif kind == 'tracker_warning_alert':
        say(event='warning', message=alert.message())
    elif kind == 'tracker_error_alert' and UNREACHABLE not in alert.message():
        say(event='error', message=alert.message())
    elif kind == 'torrent_finished_alert':
        say(event='finished')


def main():
    torrent_file, directory, options = sys.argv[1:]
    options = json.loads(options)
    session = libtorrent.session({
        'listen_interfaces': '127.0.0.1:0',
        'alert_mask': libtorrent.alert.category_t.all_categories,
        'enable_dht': False,
        'enable_lsd': False,
        'enable_upnp': False,
        'enable_natpmp': False,
        'allow_multiple_connections_per_ip': True,
        'stop_tracker_timeout': FAREWELL_SECONDS,
        **options.get('settings', {}),
    })
    parameters = libtorrent.add_torrent_params()
    parameters.ti = libtorrent.torrent_info(torrent_file)
    parameters.save_path = directory
    parameters.trackers = options.get('trackers', [])
    torrent = session.add_torrent(parameters)
    told = {'uploaded': 0, 'downloaded': 0}
    ends = time.monotonic() + GIVE_UP_SECONDS
    while time.monotonic() < ends:
        for alert in session.pop_alerts():
            report(alert, told)
        if select.select([sys.stdin], [], [], 0.05)[0]:
            if not os.read(0, 1):
                break
            torrent.force_reannounce(0, -1, libtorrent.reannounce_flags_t.ignore_min_interval)
    torrent.unset_flags(libtorrent.torrent_flags.auto_managed)
    torrent.pause()
    ends = time.monotonic() + FAREWELL_SECONDS
    said = answered = 0
    while time.monotonic() < ends and (said == 0 or answered < said):
        session.wait_for_alert(100)
        for alert in session.pop_alerts():
            kind = type(alert).__name__
            if kind == 'tracker_announce_alert' and alert.event == libtorrent.event_t.stopped:
                said += 1
            elif kind in ('tracker_reply_alert', 'tracker_error_alert') and said > 0:
                answered += 1


main()
