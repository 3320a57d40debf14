package export

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Manifest lists what a run wrote, and by its producer field marks the folder as graft's own.
type Manifest struct {
	Producer string              `json:"producer"`
	Version  string              `json:"version"`
	Files    map[string]FileInfo `json:"files"`
	Settings map[string]any      `json:"settings,omitempty"`
	Checks   []Check             `json:"checks,omitempty"`
}

// FileInfo is a file's size and SHA-256.
type FileInfo struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Check is an exported file's comparison with the graph it came from.
type Check struct {
	File      string  `json:"file"`
	Precision string  `json:"precision"`
	MaxAbs    float64 `json:"max_abs_diff"`
	Tolerance
}

// ManifestName is the manifest's file name.
const ManifestName = "manifest.json"

// NewManifest is an empty manifest of this program.
func NewManifest(version string) *Manifest {
	return &Manifest{Producer: "graft", Version: version, Files: map[string]FileInfo{}}
}

// Add records a file's contents.
func (m *Manifest) Add(name string, data []byte) {
	m.Files[name] = FileInfo{int64(len(data)), Hash(data)}
}

// Encode is the manifest as indented JSON.
func (m *Manifest) Encode() ([]byte, error) {
	data, err := json.MarshalIndent(m, "", "  ")
	return append(data, '\n'), err
}

// Hash is the SHA-256 of data in hexadecimal.
func Hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
