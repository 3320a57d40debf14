package runtime

import "os"

func explicitLibrary(o Options) (path, source string) {
	if o.Library != "" {
		return o.Library, "--ort-lib"
	}
	return os.Getenv("GRAFT_ORT_LIB"), "GRAFT_ORT_LIB"
}

// FindLibrary
func FindLibrary(o Options) (*Library, error) {
	p, s := explicitLibrary(o)
	v, err := probe(p)
	return &Library{p, v, s}, err
}
