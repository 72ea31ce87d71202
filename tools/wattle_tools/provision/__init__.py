"""From a flashed board to a meter: settings, keys, proof, certificate, enrolment."""
