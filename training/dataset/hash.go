package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
)

// Hash is the SHA-256 of an epoch's samples in their order, the same whatever the size of the batches is.
func (b *Batches) Hash() (string, error) {
	sum := sha256.New()
	for step := int64(1); step <= b.PerEpoch(); step++ {
		given, err := b.At(step)
		if err != nil {
			return "", err
		}
		n := int(b.Count(step))
		names := slices.Sorted(maps.Keys(given))
		for i := range n {
			for _, name := range names {
				t := given[name]
				width := len(t.Data) / n
				var size [8]byte
				binary.LittleEndian.PutUint64(size[:], uint64(width))
				sum.Write(size[:])
				sum.Write(t.Data[i*width : (i+1)*width])
			}
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
