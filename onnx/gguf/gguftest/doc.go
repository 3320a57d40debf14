// Package gguftest writes GGUF files field by field, among them those that every reader must refuse.
//
//	good := gguftest.Table(64, gguftest.Line{Name: "a", Dims: []uint64{4}})
//	for _, c := range gguftest.Hostile() {
//		_, err := read(c.Bytes)
//		limitstest.Refused(t, err, "x.gguf", c.Want)
//	}
package gguftest
