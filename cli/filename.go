package cli

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

// fileNames turns names from a model into the names of files in one folder, each different from the others also where
// case does not count. Names from a model are data: nothing of them can lead out of the folder, hide a file, or mean
// something to a system.
type fileNames struct{ taken map[string]bool }

func newFileNames() *fileNames { return &fileNames{taken: map[string]bool{"manifest": true}} }

// of is the file's name for a tensor's name, with the ending.
func (f *fileNames) of(name, ending string) string {
	stem := fileStem(name)
	for i := 2; f.taken[strings.ToLower(stem)]; i++ {
		stem = fmt.Sprintf("%s~%d", fileStem(name), i)
	}
	f.taken[strings.ToLower(stem)] = true
	return stem + ending
}

// fileStem keeps letters, digits, "-", "_" and inner dots of ASCII; other bytes are written as %2f. A long name is cut and
// ends in a hash of the whole; a device's name on Windows gets a "%" in front.
func fileStem(name string) string {
	const longest = 120
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
		if plain || c == '.' && i > 0 && i < len(name)-1 && name[i-1] != '.' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	stem := b.String()
	if len(stem) > longest {
		stem = fmt.Sprintf("%s~%x", stem[:longest], sha256.Sum256([]byte(name)))[:longest+17]
	}
	if stem == "" {
		return "%"
	}
	device, _, _ := strings.Cut(strings.ToLower(stem), ".")
	switch {
	case device == "con", device == "prn", device == "aux", device == "nul",
		len(device) == 4 && (strings.HasPrefix(device, "com") || strings.HasPrefix(device, "lpt")) && device[3] >= '0' && device[3] <= '9':
		return "%" + stem
	}
	return stem
}
