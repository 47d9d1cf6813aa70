module github.com/seed-6c01d079/notify/examples

go 1.26.0

require (
	github.com/emersion/go-smtp v0.25.1
	github.com/seed-6c01d079/notify v0.1.0
	github.com/seed-6c01d079/notify/providers v0.1.0
)

replace (
	github.com/seed-6c01d079/notify => ..
	github.com/seed-6c01d079/notify/providers => ../providers
)
