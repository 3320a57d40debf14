package onnx

import (
	"encoding/binary"
	"os"
)

// written reports whether a page of data, which is mapped, differs from the file or may do so: Linux says of each page
// whether it still is the file's.
func written(data []byte) bool {
	const present, swapped, ofFile = 1 << 63, 1 << 62, 1 << 61
	table, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return true
	}
	defer table.Close()
	page := uintptr(os.Getpagesize())
	first, last := address(data)/page, (address(data)+uintptr(len(data))-1)/page
	var buffer [32 << 10]byte
	for first <= last {
		entries := buffer[:8*min(uintptr(len(buffer)/8), last-first+1)]
		n, err := table.ReadAt(entries, int64(first)*8)
		if n != len(entries) && err != nil {
			return true
		}
		for i := 0; i < n; i += 8 {
			e := binary.LittleEndian.Uint64(entries[i:])
			if e&swapped != 0 || e&present != 0 && e&ofFile == 0 {
				return true
			}
		}
		first += uintptr(n / 8)
	}
	return false
}
