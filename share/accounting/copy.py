#!/usr/bin/env python3
"""Copies what users moved from the tracker to a site's own database, here a file of SQLite, and goes on where it was.

  TRACKER_URL=http://127.0.0.1:1212 TRACKER_TOKEN=... python3 copy.py site.db

Figures are absolute: a page that is copied twice changes nothing, and one that was missed comes again. It copies all
that is new and ends, so run it from a timer, or whenever the webhook says that there is something.
"""
import json, os, sqlite3, sys, urllib.request

site = sqlite3.connect(sys.argv[1])
site.executescript("""
  create table if not exists users (account integer primary key, user_id integer, uploaded integer, downloaded integer,
    seed_seconds integer);
  create table if not exists history (account integer, info_hash text, uploaded integer, downloaded integer,
    seed_seconds integer, completed integer, last_seen integer, primary key (account, info_hash));
  create table if not exists copied (one integer primary key, up_to integer);
  insert or ignore into copied values (1, 0);
""")

# The loop.
is_last = False
while not is_last:
    [after] = site.execute("select up_to from copied").fetchone()
    url = f"{os.environ['TRACKER_URL']}/api/v1/accounting/changes?after={after}&limit=1000"
    request = urllib.request.Request(url, headers={"authorization": f"Bearer {os.environ['TRACKER_TOKEN']}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        page = json.load(answer)
    with site:  # Rows and place in one transaction.
        site.executemany("""insert or replace into users values
          (:id, :user_id, :credited_uploaded, :credited_downloaded, :seed_seconds)""", page["accounts"])
        site.executemany("""insert or replace into history values
          (:account, :info_hash, :uploaded, :downloaded, :seed_seconds, :completed, :last_seen)""", page["records"])
        for erased in page["deleted"]:
            site.execute("delete from users where account = ?", [erased])
            site.execute("delete from history where account = ?", [erased])
        site.execute("update copied set up_to = ?", [page["next"]])
    is_last = page["is_last"]
