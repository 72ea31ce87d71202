"""What a signature costs a meter, and how many samples a second a gateway takes.

`python -m wattle_hil.bench` prints both; absolute figures belong to the machine they were taken
on, so the gateway's stand beside what OpenSSL does on it in the same minute.
"""
