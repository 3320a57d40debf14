package defaultmask

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
)

// Pack writes a mask of few kept weights: how many weights are removed in front of each that is kept, as varints, deflated.
func Pack(keep []bool) ([]byte, error) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.HuffmanOnly) // gaps are random: matches of two would cost more than their codes
	if err != nil {
		return nil, err
	}
	gap := uint64(0)
	var code []byte
	for _, yes := range keep {
		if !yes {
			gap++
			continue
		}
		code, gap = binary.AppendUvarint(code, gap), 0
	}
	if _, err := w.Write(code); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Unpack reads what Pack has written of n weights.
func Unpack(file []byte, n int64) ([]bool, error) {
	keep := make([]bool, n)
	r := bufio.NewReader(flate.NewReader(bytes.NewReader(file)))
	for at := int64(0); ; at++ {
		gap, err := binary.ReadUvarint(r)
		if err == io.EOF {
			return keep, nil
		}
		if err != nil {
			return nil, fmt.Errorf("default mask: %w", err)
		}
		if gap >= uint64(n-at) {
			return nil, fmt.Errorf("default mask: weight %d of %d is kept", uint64(at)+gap, n)
		}
		at += int64(gap)
		keep[at] = true
	}
}
