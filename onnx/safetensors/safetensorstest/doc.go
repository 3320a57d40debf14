// Package safetensorstest writes safetensors files with headers of any text, among them those that every reader must refuse.
//
//	good := safetensorstest.One(`"dtype":"U8","shape":[4],"data_offsets":[0,4]`, 4)
//	for _, c := range safetensorstest.Hostile() {
//		_, err := read(c.Bytes)
//		limitstest.Refused(t, err, "x.safetensors", c.Want)
//	}
package safetensorstest
