package onnx

import "slices"

// Model is an ONNX file: a graph, the operator sets it is written in, and what the file says of itself.
type Model struct {
	IRVersion       int64
	Opsets          []Opset
	ProducerName    string
	ProducerVersion string
	Domain          string
	Version         int64
	Doc             string
	Metadata        Metadata
	Graph           *Graph

	functions []*Function
	extra     Opaque    // training_info and fields of the file that the IR does not know
	notes     []Finding // what the reader found odd
	source    *source   // the file that the model was read from; nil when it was none
	mappings  []*mapping
}

// Opset is an operator set that a model imports. Domain "" is the standard's default domain.
type Opset struct {
	Domain  string
	Version int64
	extra   string // fields of the file that the IR does not know, encoded
}

// DataFiles are the files, as the model named them, in which the file that m was read from has weights.
func (m *Model) DataFiles() []string {
	if m.source == nil {
		return nil
	}
	return slices.Clone(m.source.locations)
}

// Opset gives the imported version of a domain, 0 when it is not imported. "ai.onnx" is another name of "".
func (m *Model) Opset(domain string) int64 {
	for _, o := range m.Opsets {
		if canonicalDomain(o.Domain) == canonicalDomain(domain) {
			return o.Version
		}
	}
	return 0
}

// SetOpset imports a version of a domain in place of any other.
func (m *Model) SetOpset(domain string, version int64) {
	for i := range m.Opsets {
		if canonicalDomain(m.Opsets[i].Domain) == canonicalDomain(domain) {
			m.Opsets[i].Version = version
			return
		}
	}
	m.Opsets = append(m.Opsets, Opset{Domain: domain, Version: version})
}

func canonicalDomain(d string) string {
	if d == "ai.onnx" {
		return ""
	}
	return d
}

// KeyValue is one entry of a Metadata.
type KeyValue struct {
	Key, Value string
	extra      string // fields of the file that the IR does not know, encoded
}

// Metadata is metadata_props: key and value pairs in the file's order.
type Metadata []KeyValue

// Get looks a key up.
func (m Metadata) Get(key string) (string, bool) {
	for _, kv := range m {
		if kv.Key == key {
			return kv.Value, true
		}
	}
	return "", false
}

// Set sets or replaces a key.
func (m *Metadata) Set(key, value string) {
	if i := slices.IndexFunc(*m, func(kv KeyValue) bool { return kv.Key == key }); i >= 0 {
		(*m)[i].Value = value
		return
	}
	*m = append(*m, KeyValue{Key: key, Value: value})
}
