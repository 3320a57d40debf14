package peer

import _ "embed"

// Python runs a job in a runtime of Python: script RUNTIME DIR.
//
//go:embed peer.py
var Python []byte

// Node runs a job in a runtime of Node.js: script RUNTIME DIR [MODULES ...].
//
//go:embed peer.cjs
var Node []byte
