package cost

import "github.com/seed-6c01d079/notify"

// problems are what is wrong with an input, no more of it than somebody reads.
type problems []error

const maxProblems = 1000

func (p *problems) isFull() bool { return len(*p) >= maxProblems }

func (p *problems) add(field, problem string) {
	if !p.isFull() {
		*p = append(*p, &notify.FieldError{Field: field, Problem: problem})
	}
}

func (p *problems) when(wrong bool, field, problem string) {
	if wrong {
		p.add(field, problem)
	}
}

const notACurrency = `must be three letters from A to Z (ISO 4217), such as "EUR"`

func (p *problems) currency(field, own, otherwise string) {
	switch {
	case own == "" && otherwise == "":
		p.add(field+".Currency", "is required, or Book.Currency")
	case own != "" && !validCurrency(own):
		p.add(field+".Currency", notACurrency)
	}
}

func (p *problems) price(field string, price Price) {
	if price < 0 || price > maxPrice {
		p.add(field, "must be from 0 to 1000000 units")
	}
}

func validCurrency(code string) bool { return len(code) == 3 && onlyLetters(code) }

func validCountry(code string) bool { return len(code) == 2 && onlyLetters(code) }

func onlyLetters(code string) bool {
	for i := range len(code) {
		if code[i] < 'A' || code[i] > 'Z' {
			return false
		}
	}
	return true
}

func validName(name string, most int, isValid func(byte) bool) bool {
	for i := range len(name) {
		if !isValid(name[i]) {
			return false
		}
	}
	return name != "" && len(name) <= most
}

func isChannelByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

func isProviderByte(c byte) bool { return isChannelByte(c) || c == '.' }

// isObserverByte leaves bytes beyond ASCII to the Notifier.
func isObserverByte(c byte) bool { return c > ' ' && c != 0x7f }
