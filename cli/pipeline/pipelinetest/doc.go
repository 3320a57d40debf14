// Package pipelinetest holds pipeline files that must be refused.
//
//	for _, c := range pipelinetest.Hostile() {
//		_, err := pipeline.Parse("p.yaml", c.Bytes)
//		// err must hold c.Want
//	}
package pipelinetest
