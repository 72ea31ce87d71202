"""What a signature costs a meter, how many samples a second a gateway takes, and what an alliance
of four gateways takes to agree and to keep.

`python -m wattle_hil.bench` prints them; absolute figures belong to the machine they were taken
on, so the gateway's stand beside what OpenSSL does on it in the same minute, and the alliance's
beside the limits they are to keep.
"""
