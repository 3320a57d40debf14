package safetensorstest

import "encoding/binary"

// Length begins a file: it says how long the header is.
func Length(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }

// File is a header of the given JSON before data zeros.
func File(json string, data int) []byte {
	return append(append(Length(uint64(len(json))), json...), make([]byte, data)...)
}

// One is a file of one tensor "w" with the given members and data.
func One(members string, data int) []byte { return File(`{"w":{`+members+`}}`, data) }

// Two is a file of two tensors of four bytes at the given data_offsets.
func Two(a, b string, data int) []byte {
	return File(`{"a":{"dtype":"U8","shape":[4],"data_offsets":`+a+`},"b":{"dtype":"U8","shape":[4],"data_offsets":`+b+`}}`, data)
}
