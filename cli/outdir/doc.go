// Package outdir gives a run an output folder that is replaced as a whole when the run has finished, and a work folder that
// outlives a killed run.
//
//	dir, err := outdir.Create("out", false) // work goes to out.partial; out itself stays as it is
//	if err != nil {
//		return err
//	}
//	defer dir.Suspend() // a run that ends early leaves out.partial to outdir.Resume; nothing after Commit
//	if err := dir.WriteFile("summary.json", summary); err != nil {
//		return err
//	}
//	return dir.Commit() // out.partial becomes out; it must hold manifest.json with "producer": "graft"
package outdir
