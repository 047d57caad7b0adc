"""Fails when a library defines or needs a function of llhttp under llhttp's own name: `check_names.py NM LIBRARY`."""

import re
import subprocess
import sys

nm, library = sys.argv[1:]
symbols = subprocess.run([nm, "-g", "-P", library], check=True, capture_output=True, text=True).stdout
own = {line.split()[0] for line in symbols.splitlines() if re.match(r"dwell_llhttp_", line)}
foreign = {line.split()[0] for line in symbols.splitlines() if re.match(r"llhttp_", line)}
print(f"{len(own)} functions of llhttp under our names; under its own: {', '.join(sorted(foreign)) or 'none'}")
sys.exit(bool(foreign) or len(own) < 50)
