// Package loss builds training losses: functions that add the mean loss of an output against a target to a graph.
//
//	b := op.NewBuilder(g)
//	l, err := loss.Lookup("mse")
//	if err != nil {
//		return err // lists the names
//	}
//	y := l.Build(b, output, target) // a scalar
//	if err := b.Err(); err != nil {
//		return err
//	}
//	grads, err := autodiff.Gradients(g, y, params)
package loss
