package signal

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
)

// content is the hash of numbers in rows of one width, each by what bits gives.
func content(width int, values []float64, bits func(float64) uint64) [sha256.Size]byte {
	h := sha256.New()
	b := binary.LittleEndian.AppendUint64(nil, uint64(width))
	for _, v := range values {
		if b = binary.LittleEndian.AppendUint64(b, bits(v)); len(b) > 1<<15 {
			h.Write(b)
			b = b[:0]
		}
	}
	h.Write(b)
	return [sha256.Size]byte(h.Sum(nil))
}

// sample16 is a sample in 16 bits: grey that was stored in colours differs in the last bits of a float.
func sample16(v float64) uint64 { return uint64(int64(math.Round(v * 65535))) }

// Apart refuses pictures for a test that are among those of the training, under whatever name or format without loss: content is
// compared, by the hash of samples of 16 bits. Of a picture that was scaled or compressed anew it knows nothing.
func Apart(train, test []Picture) error {
	known := map[[sha256.Size]byte]string{}
	for _, p := range train {
		known[content(p.Width, p.Pix, sample16)] = p.Name
	}
	for _, p := range test {
		if name, both := known[content(p.Width, p.Pix, sample16)]; both {
			return fmt.Errorf("picture %s of the test is picture %s of the training: take it out of one", p.Name, name)
		}
	}
	return nil
}

// ApartSignals refuses signals for a test that are among those of the training.
func ApartSignals(train, test Set) error {
	known := map[[sha256.Size]byte]int{}
	for i := range train.Count {
		known[content(train.Length, train.Row(i), math.Float64bits)] = i
	}
	for i := range test.Count {
		if k, both := known[content(test.Length, test.Row(i), math.Float64bits)]; both {
			return fmt.Errorf("signal %d of the test is signal %d of the training: draw the two from other streams", i, k)
		}
	}
	return nil
}
