// Package rewrite changes graphs without changing what they compute. A Rule looks at one node and builds what may stand in
// its place; Apply is the only thing that edits the graph.
//
//	n, err := rewrite.Apply(model.Graph, rewrite.PoolIntoConv, rewrite.NormBeforeUpsample)
//	if err != nil {
//		return err
//	}
//	fmt.Println(n, "nodes replaced")
//
// Inline, Upgrade and Fold bring a model of any opset from 7 on into the form that inference and autodiff read: without
// functions, at op.Opset, constants computed.
//
// Bind and Lift turn inputs into initializers and back: parameters are initializers where a model is deployed and inputs
// where it is trained. RenameEnds, DropOutputs, Extract and Merge change a model's ends and parts; what is left computes what
// it did. Project takes directions out of a value, which what reads it then computes without.
package rewrite
