"""How the guard speaks with what stands beside it: Rspamd, a DNS zone, other guards.

``publish.Publisher`` keeps Rspamd's maps and a DNS zone current; ``rspamd`` reads what Rspamd reports of the mail it
scanned; ``shared.Shared`` lets several guards remember as one. Each can be left out, and each may fail without a mail
waiting for it; see docs/guard-outlets.md.
"""
